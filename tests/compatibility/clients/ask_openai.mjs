// OpenAI's SDK for JavaScript asks an engine: URL, PICTURE (a data URL) → one line of JSON.
import OpenAI from "openai";

const [url, picture] = process.argv.slice(2);
const api = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const common = { model: "pocket", max_completion_tokens: 60, temperature: 0 };
const messages = [{ role: "user", content: "Hello!" }];
const shown = [{ role: "user", content: [{ type: "text", text: "What colour is the circle?" }, { type: "image_url", image_url: { url: picture } }] }];
const chat = async (fields) => (await api.chat.completions.create({ ...common, ...fields })).choices[0].message.content;
let stream = "", stream_responses = "", full = false;
for await (const chunk of await api.chat.completions.create({ ...common, messages, stream: true })) stream += chunk.choices[0]?.delta?.content ?? "";
const asked = { model: "pocket", max_output_tokens: 60, temperature: 0, input: "Hello!" };
for await (const event of await api.responses.create({ ...asked, stream: true })) if (event.type === "response.output_text.delta") stream_responses += event.delta;
try {
  await chat({ messages: [{ role: "user", content: "goose ".repeat(20000) }] });
} catch (error) {
  full = error.code === "context_length_exceeded";
}
console.log(JSON.stringify({
  text: await chat({ messages }), stream, picture: await chat({ messages: shown }),
  json: await chat({ messages, response_format: { type: "json_object" }, max_completion_tokens: 200 }), full,
  text_responses: (await api.responses.create(asked)).output_text, stream_responses,
  picture_responses: (await api.responses.create({ ...asked, input: [{ role: "user", content: [{ type: "input_text", text: "What colour is the circle?" }, { type: "input_image", image_url: picture }] }] })).output_text,
}));
