// Start the page. If one of its files is missing on the server, say so instead of waiting for it forever.

import("./page.js").catch(() => {
  const status = /** @type {HTMLElement} */ (document.getElementById("status"));
  status.textContent = "A part of this page could not be loaded. Reload it. If that doesn't help, a file is missing on the server.";
  status.classList.add("problem");
});
