// Vercel's ai asks an engine: URL, PICTURE (a data URL) → one line of JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

const [url, picture] = process.argv.slice(2);
const model = createOpenAICompatible({ name: "gander", baseURL: `${url}/v1`, apiKey: "none" })("pocket");
const common = { model, temperature: 0, maxOutputTokens: 60, maxRetries: 0 };
const image = Buffer.from(picture.split(",")[1], "base64");
let stream = "";
for await (const piece of streamText({ ...common, prompt: "Hello!" }).textStream) stream += piece;
const shown = [{ role: "user", content: [{ type: "text", text: "What colour is the circle?" }, { type: "image", image, mediaType: "image/png" }] }];
console.log(JSON.stringify({
  text: (await generateText({ ...common, prompt: "Hello!" })).text, stream,
  picture: (await generateText({ ...common, messages: shown })).text,
}));
