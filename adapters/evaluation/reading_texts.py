"""The texts that the evaluation of reading draws: code in six languages, pages, a receipt, signs. All are ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CODE: Final[Mapping[str, str]] = {
    "python": '''\
def average(numbers):
    total = 0
    for number in numbers:
        total += number
    return total / len(numbers)


class Stack:
    """Holds items, last in first out."""

    def __init__(self, items=None):
        self.items = list(items or [])

    def pop(self):
        if not self.items:
            raise IndexError("pop from an empty stack")
        return self.items.pop(0)  # the bug

print(f"{average([1, 2, 3]):.2f}", Stack([1]).pop())''',
    "javascript": """\
const items = ["apple", "pear", "fig"];

function total(prices, tax = 0.19) {
  let sum = 0;
  for (let i = 0; i <= prices.length; i++) {
    sum += prices[i] * (1 + tax);
  }
  return sum;
}

items.forEach((item, i) => {
  console.log(`${i}: ${item.toUpperCase()}`);
});

export default async () => {
  const res = await fetch("/api/v1/items?q=a&b=2");
  if (res.status !== 200) throw new Error("failed");
};""",
    "c": """\
#include <stdio.h>
#include <string.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

int main(int argc, char **argv) {
    char buffer[16];
    unsigned int n = 0x1F;

    strcpy(buffer, argv[1]);
    for (int i = 0; i < 10 && n != 0; ++i) {
        n >>= 1;
        printf("%d\\t%u\\n", i, n & 0xFF);
    }
    return buffer[0] == '\\0' ? 0 : 1;
}""",
    "rust": """\
use std::collections::HashMap;

#[derive(Debug, Clone)]
pub struct Point<T> {
    x: T,
    y: T,
}

impl<T: Copy> Point<T> {
    pub fn new(x: T, y: T) -> Self {
        Self { x, y }
    }
}

fn main() {
    let mut map: HashMap<&str, Vec<i32>> = HashMap::new();
    map.entry("a").or_insert_with(Vec::new).push(1);
    if let Some(v) = map.get("a") {
        println!("{:?} {}", v, v[1]);
    }
}""",
    "sql": """\
SELECT u.name, COUNT(o.id) AS orders,
       SUM(o.total) AS revenue
FROM users AS u
LEFT JOIN orders o ON o.user_id = u.id
WHERE u.created_at >= '2024-01-01'
  AND o.status <> 'cancelled'
GROUP BY u.name
HAVING COUNT(o.id) > 5
ORDER BY revenue DESC
LIMIT 10;""",
    "shell": """\
#!/usr/bin/env bash
set -euo pipefail

for file in "$HOME"/logs/*.log; do
    if [[ -s "$file" ]]; then
        grep -E '^(WARN|ERROR)' "$file" | sort | uniq -c
    fi
done

export PATH="/usr/local/bin:$PATH"
curl -sSL https://example.com/x.sh -o /tmp/x.sh && chmod +x /tmp/x.sh
echo "done: $(date +%F)" > out.txt 2>&1""",
}

ENGLISH: Final = """\
The goose is a large bird that lives near water
and eats grass. In autumn many geese fly south in
the shape of a letter V, which saves strength.

They return in spring to the same lake. A goose
that is ill is never left alone: two others stay
with it until it can fly again, or has died."""

CHINESE: Final = """\
鹅是一种大型水鸟，喜欢生活在湖边和河边。
秋天的时候，许多大雁排成人字形飞向南方，
这样可以节省体力。春天它们又回到同一个湖。

生病的大雁不会被丢下，总有两只同伴留下来，
直到它能够重新飞翔。价格：35.80 元，共 12 只。"""

RECEIPT: Final = (
    ("CORNER BAKERY", ""),
    ("12 Lake Street, Geneva", ""),
    ("Rye bread", "3.40"),
    ("Butter croissant x2", "4.20"),
    ("Apple cake", "3.95"),
    ("Coffee", "2.80"),
    ("Subtotal", "14.35"),
    ("VAT 7%", "0.94"),
    ("TOTAL", "15.29"),
    ("Thank you for your visit!", ""),
)

SIGNS: Final = ("NO PARKING\nTOW-AWAY ZONE", "OPEN\nMon-Sat 8:00-18:30", "Platform 9\nZürich HB", "SALE -50%", "出口", "小心地滑")

COLUMNS: Final = (
    """\
Herring gulls have come
back to the harbour after
a winter of storms that
kept the boats at home.
The fishermen are glad of
their cries, they say.""",
    """\
The town will build a new
bridge across the river.
It opens in two years and
will cost nine million.
Cyclists get a lane of
their own on each side.""",
)
