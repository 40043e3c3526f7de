// Start the page. If one of its files is missing from the server, say so instead of waiting for it forever.

import("./page.js").catch(() => {
  const status = /** @type {HTMLElement} */ (document.getElementById("status"));
  status.textContent = "Part of this page could not be loaded. Reload it. If that doesn't help, a file is missing from the server.";
  status.classList.add("problem");
});
