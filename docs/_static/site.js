// The theme's arrows that open a part of the table of contents have no name that a screen reader could say.
for (const arrow of document.querySelectorAll("nav summary")) {
  arrow.setAttribute("aria-label", `Pages of ${arrow.closest("li").querySelector("a").textContent.trim()}`);
}

// Sentences that a cell has printed wrap; what stands in columns or draws lines does not, and scrolls.
for (const printed of document.querySelectorAll(".cell_output pre")) {
  printed.classList.toggle("prose", !/\S {2,}\S|[|│┃─━]/.test(printed.textContent));
}
