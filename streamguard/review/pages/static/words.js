// What goes with a decision in words: a note, and an explanation.

const field = (id) => document.getElementById(id);

export class Words {
  open() {
    field('words').open = true;
    field('note').focus();
  }

  // more: a note that was written elsewhere.
  said(more = '') {
    const said = {};
    const note = [field('note').value.trim(), more].filter(Boolean).join('; ');
    const explanation = field('explanation').value.trim();
    if (note) said.note = note;
    if (explanation) said.explanation_public = explanation;
    return said;
  }
}
