// The ring's arcs, by classes.

/** Shows `have` of its arcs as signed. */
export function setRing(have, root = document) {
  for (const ring of root.querySelectorAll('svg[data-ring]')) {
    const arcs = ring.querySelectorAll('circle');
    arcs.forEach((arc, i) => {
      arc.classList.toggle('got', i < have);
      arc.classList.toggle('track', i >= have);
    });
    ring.querySelector('.big').textContent = String(have);
    ring.setAttribute('aria-label', `${have} of ${arcs.length} signatures`);
  }
}
