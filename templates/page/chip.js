// Chips are drawn by the server, in a template of the page; scripts clone them.

/** A chip of this mark (signed, reading, asked, cannot, ..) with this word; null where the page has no stock. */
export function chip(mark, word) {
  const of = document.getElementById('chips')?.content.querySelector(`[data-mark="${mark}"]`);
  if (!of) return null;
  const made = of.cloneNode(true);
  made.querySelector('.w').textContent = word;
  return made;
}
