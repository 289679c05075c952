// Signing out, and letting one more device in: only where the page has a password.

import * as api from "./api.js";
import { find } from "./dom.js";

/** `failed(trouble)`: says why there is no code. */
export function account(signedIn, failed) {
  find("add-device").hidden = !signedIn;
  find("sign-out").hidden = !signedIn;
  find("add-device").onclick = async () => {
    try {
      find("device-code").textContent = (await api.device()).code;
      find("devices").showModal();
    } catch (trouble) {
      failed(trouble);
    }
  };
}
