// Definitions of glossary terms: shown on hover, on focus, on tap; gone with Escape.
// A definition stays while the pointer is on it. Without this script the links have a plain title.
document.addEventListener("DOMContentLoaded", () => {
  const WAIT = 200; // ms in which the pointer may cross from a term to its definition
  let open = null;
  let timer = 0;

  const hide = () => {
    clearTimeout(timer);
    if (open) open.note.hidden = true;
    open = null;
  };
  const hideSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, WAIT);
  };
  const place = ({ link, note }) => {
    note.style.left = 0; // so that its width does not depend on where it was
    const lines = link.getClientRects();
    const last = lines[lines.length - 1];
    const room = document.documentElement.clientWidth - note.offsetWidth - 8;
    const below = last.bottom + note.offsetHeight <= window.innerHeight;
    note.style.left = `${Math.max(8, Math.min(last.left, room)) + window.scrollX}px`;
    note.style.top = `${(below ? last.bottom : lines[0].top - note.offsetHeight) + window.scrollY}px`;
  };
  const show = (term) => {
    clearTimeout(timer);
    if (open === term) return;
    hide();
    open = term;
    term.note.hidden = false;
    place(term);
  };

  document.querySelectorAll("a.lethe-term[title]").forEach((link, number) => {
    const note = document.createElement("div");
    note.id = `lethe-term-${number}`;
    note.className = "lethe-term-note";
    note.setAttribute("role", "tooltip");
    note.textContent = link.title;
    note.hidden = true;
    document.body.append(note);
    link.removeAttribute("title");
    link.setAttribute("aria-describedby", note.id);
    const term = { link, note };
    let seen = false; // whether the definition stood there when the finger came down

    for (const part of [link, note]) {
      part.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(term));
      part.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideSoon());
    }
    link.addEventListener("pointerdown", () => (seen = open === term));
    link.addEventListener("focus", () => show(term));
    link.addEventListener("blur", hideSoon);
    link.addEventListener("click", (event) => {
      if (event.pointerType !== "touch" || seen) return; // a second tap follows the link
      event.preventDefault();
      show(term);
    });
  });

  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("pointerdown", (event) => {
    if (open && !open.link.contains(event.target) && !open.note.contains(event.target)) hide();
  });
});
