// What a decision says beside outcome, reason and action; whoever changes nothing says nothing.

import { Refused, say } from './api.js';

const field = (id) => document.getElementById(id);
const isOn = (one) => one.getAttribute('aria-pressed') === 'true';

export class Details {
  constructor(panel) {
    this.contexts = [...panel.querySelectorAll('[data-context]')];
    this.scopes = [...panel.querySelectorAll('[data-scope]')];
    this.choices = ['ground', 'hold-s', 'delay', 'delay-why'].map(field);
    this.law = field('legal-ref');
    this.preserve = field('preserve');
  }

  toggle(control) {
    this.open(control);
    control.setAttribute('aria-pressed', !isOn(control));
    const name = control.textContent.replace(control.querySelector('kbd').textContent, '').trim();
    say(`${name}: ${isOn(control) ? 'yes' : 'no'}.`);
  }

  // Take the next of what can be chosen, and the first after the last.
  turn(id) {
    const choice = field(id);
    this.open(choice);
    choice.selectedIndex = (choice.selectedIndex + 1) % choice.length;
    say(`${choice.selectedOptions[0].textContent}.`);
  }

  write() {
    this.open(this.law);
    this.law.focus();
  }

  // Nothing is changed that is not seen.
  open(control) {
    const around = control.closest('details');
    if (around) around.open = true;
  }

  clear() {
    for (const one of [...this.contexts, this.preserve]) one.setAttribute('aria-pressed', 'false');
    for (const one of this.scopes) one.setAttribute('aria-pressed', 'true');
    for (const one of this.choices) one.selectedIndex = 0;
    this.law.value = '';
  }

  said() {
    const said = {};
    const [ground, hold, delay, why] = this.choices.map((one) => one.value);
    const context = this.contexts.filter(isOn).map((one) => one.dataset.context);
    const scopes = this.scopes.filter(isOn).map((one) => one.dataset.scope);
    if (!scopes.length) throw new Refused(0, 'Say what it is done to: the live stream, its recording, clips of it.');
    if (context.length) said.context = context;
    if (scopes.length < this.scopes.length) said.scopes = scopes;
    if (ground) said.ground = ground;
    if (this.law.value.trim()) said.legal_ref = this.law.value.trim();
    if (isOn(this.preserve)) said.preserve = true;
    if (hold) said.hold_s = Number(hold);
    if (delay) Object.assign(said, { notice_delay_s: Number(delay), notice_delay_reason: why });
    return said;
  }
}
