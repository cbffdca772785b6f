// Who outside was told of an imminent threat: put on record by itself, or with the decision.

import { Refused, post, say, tell } from './api.js';

const DAY_MS = 86400000;

const field = (id) => document.getElementById(id);
const text = (id) => field(id).value.trim();
const clockOf = (at) => at.toTimeString().slice(0, 5);

export class Referral {
  // token: of the lease; null where the case is not in these hands.
  constructor(path, token) {
    Object.assign(this, { path, token, ticked: null });
    field('told').addEventListener('change', () => this.tick());
    field('referral').addEventListener('submit', (event) => {
      event.preventDefault();
      this.record().catch(tell);
    });
  }

  open() {
    field('outside').open = true;
    field('authority').focus();
  }

  tick() {
    this.ticked = field('told').checked ? new Date() : null;
    field('told-at').value = this.ticked ? clockOf(this.ticked) : '';
  }

  clear() {
    field('referral').reset();
    this.ticked = null;
  }

  // Says nothing where nothing was written. Refuses half: whoever reads it has to know whom to ask.
  said() {
    const authority = text('authority');
    if (!authority && !this.ticked) return null;
    if (!authority || !this.ticked || !text('told-at')) {
      throw new Refused(0, 'Say who was told and when, and tick that they were; or none of it.');
    }
    const said = { authority, means: text('means'), told_at: this.toldAt().toISOString() };
    if (text('reference')) said.reference = text('reference');
    return said;
  }

  note() {
    return text('told-note');
  }

  // The clock says no day: what lies ahead was yesterday.
  toldAt() {
    const clock = text('told-at');
    if (clock === clockOf(this.ticked)) return this.ticked;
    const at = new Date(this.ticked);
    at.setHours(...clock.split(':').map(Number), 0, 0);
    return at > this.ticked ? new Date(at - DAY_MS) : at;
  }

  async record() {
    tell(null);
    const said = this.said();
    if (said === null) throw new Refused(0, 'Say who was told.');
    if (this.token !== null) said.token = this.token;
    if (this.note()) said.note = this.note();
    await post(`${this.path}/referral`, said);
    this.clear();
    field('main').focus(); // keys decide again
    say(`On record: ${said.authority} was told.`);
  }
}
