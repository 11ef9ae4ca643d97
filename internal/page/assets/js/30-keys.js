// Keys for those who work with lists all day: j and k go through the rows of a table with data-rows. A button with
// data-key has the focus at that key, so that nothing is decided by a slip.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const links = [...document.querySelectorAll("[data-rows] tbody th a")];
  const step = { j: 1, k: -1 }[event.key];
  if (step && links.length) {
    event.preventDefault();
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
    return;
  }
  document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.focus();
});
