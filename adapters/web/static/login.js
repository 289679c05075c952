// The words of the page that asks for the password, and what went wrong with the last try.

import { loadLanguage, preferredLanguage, say } from "./texts.js";

// A Strict cookie does not come along when somebody follows a link from elsewhere; our own request carries it.
if ((await fetch("/api/session")).ok) location.replace(location.pathname);
await loadLanguage(preferredLanguage());
const trouble = new URLSearchParams(location.search).get("trouble");
document.getElementById("password").placeholder = say("password");
document.getElementById("to").value = location.pathname;
if (["wrong-password", "wrong-code", "too-many-tries"].includes(trouble)) document.getElementById("wrong").textContent = say(trouble);
