// Light, dark or as the system is: set before anything is drawn, hence no module. Kept in this browser.

(() => {
  const KEY = "gander.theme";
  const THEMES = ["system", "light", "dark"];

  function read() {
    const stored = localStorage.getItem(KEY);
    return THEMES.includes(stored) ? stored : "system";
  }

  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    const chooser = document.getElementById("theme");
    if (!chooser) return;
    chooser.value = read();
    chooser.addEventListener("change", () => {
      localStorage.setItem(KEY, chooser.value);
      apply(chooser.value);
    });
  });
})();
