// What goes with a decision in words: a note, an explanation, and who outside was told of a threat.

import { Refused } from './api.js';

const field = (id) => document.getElementById(id);

export class Words {
  constructor() {
    this.toldAt = null;
    field('told').addEventListener('change', () => this.tick());
    field('words').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.target.tagName !== 'INPUT') return;
      event.preventDefault();
      field('main').focus(); // keys decide again
    });
  }

  open() {
    field('words').open = true;
    field('note').focus();
  }

  tick() {
    this.toldAt = field('told').checked ? new Date().toISOString() : null;
    field('told-at').textContent = this.toldAt ? `at ${this.toldAt}` : '';
  }

  // Refuses half a referral: whoever reads it later has to know whom to ask.
  said() {
    const text = (id) => field(id).value.trim();
    const said = {};
    if (text('note')) said.note = text('note');
    if (text('explanation')) said.explanation_public = text('explanation');
    const authority = text('authority');
    if (Boolean(authority) !== Boolean(this.toldAt)) {
      throw new Refused(0, 'Say who was told, and tick that they were; or neither.');
    }
    if (authority) {
      said.referral = { authority, means: field('means').value, told_at: this.toldAt };
      if (text('reference')) said.referral.reference = text('reference');
    }
    return said;
  }
}
