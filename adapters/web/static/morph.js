// Changes what is on the screen into what should be there and touches nothing that stays: a selection, the focus and what was
// opened live through an answer that grows.

const OWN = new Set(["open"]); // a reader's own doing, which no new version takes back

/** Makes the children of `old` those of `fresh`, which is used up. */
export function morph(old, fresh) {
  let child = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const next = child?.nextSibling ?? null;
    if (!child) old.append(wanted);
    else if (alike(child, wanted)) become(child, wanted);
    else child.replaceWith(wanted);
    child = next;
  }
  while (child) {
    const next = child.nextSibling;
    child.remove();
    child = next;
  }
}

/** Puts `items` into `list`, in this order; those that are there already stay, and are not taken out for a moment. */
export function arrange(list, items) {
  const wanted = new Set(items);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  items.forEach((item, at) => {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
}

function alike(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName;
}

function become(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) return grow(old, fresh.data);
  if (old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !OWN.has(name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value && !OWN.has(name)) old.setAttribute(name, value);
  morph(old, fresh);
}

/** Text that only gets longer keeps what is selected of it. */
function grow(text, data) {
  if (text.data === data) return;
  let same = 0;
  while (same < text.length && text.data[same] === data[same]) same += 1;
  text.replaceData(same, text.length - same, data.slice(same));
}
