// The theme's arrows that open a part of the table of contents have no name that a screen reader could say.
for (const arrow of document.querySelectorAll("nav summary")) {
  arrow.setAttribute("aria-label", `Pages of ${arrow.closest("li").querySelector("a").textContent.trim()}`);
}
