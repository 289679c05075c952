// The words of the page that asks for the password, and what went wrong with the last try.

import { loadLanguage, preferredLanguage, say } from "./texts.js";

await loadLanguage(preferredLanguage());
const trouble = new URLSearchParams(location.search).get("trouble");
const placeholder = document.getElementById("password");
placeholder.placeholder = say("password");
if (["wrong-password", "too-many-tries"].includes(trouble)) document.getElementById("wrong").textContent = say(trouble);
