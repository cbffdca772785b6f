// Puts a decision together from keys: an outcome, a reason and, where something was confirmed, an
// action. It is made at once when all are there.

const HOLD_MS = 400;
const TWICE_MS = 10000;

export class Choosing {
  // wantAction: the outcomes that are not complete without an action.
  constructor(panel, decide, wantAction = ['confirmed']) {
    Object.assign(this, { panel, decide, wantAction });
    this.reasons = panel.querySelector('#reasons');
    this.isSent = false;
    this.clear();
  }

  clear() {
    this.outcome = this.action = this.reason = null;
    this.show();
  }

  choose(control) {
    const { outcome, action, reason } = control.dataset;
    if (outcome) {
      this.outcome = outcome;
      this.reason = null;
    } else if (action) {
      this.action = action;
      this.outcome ??= 'confirmed';
    } else if (reason) {
      this.reason = reason;
    }
    const left = this.offered();
    if (left.length === 1) this.reason = left[0].dataset.reason;
    this.show();
    if (this.isComplete()) this.send();
  }

  offered() {
    return [...this.reasons.querySelectorAll('[data-reason]')]
      .filter((one) => this.outcome && one.dataset.outcomes.split(' ').includes(this.outcome));
  }

  isComplete() {
    return this.outcome && this.reason && (this.action || !this.wantAction.includes(this.outcome));
  }

  async send() {
    if (this.isSent) return;
    this.isSent = true;
    const choice = { outcome: this.outcome, reason_code: this.reason, action: this.action ?? 'none' };
    this.isSent = await this.decide(choice);
    if (!this.isSent) this.clear();
  }

  show() {
    for (const one of this.panel.querySelectorAll('[data-outcome]')) {
      one.setAttribute('aria-pressed', one.dataset.outcome === this.outcome);
    }
    for (const one of this.panel.querySelectorAll('[data-action]')) {
      one.setAttribute('aria-pressed', one.dataset.action === this.action);
    }
    const offered = this.offered();
    this.reasons.hidden = offered.length === 0;
    for (const one of this.reasons.querySelectorAll('[data-reason]')) one.hidden = !offered.includes(one);
  }
}

// Do something only if a control is kept pressed, by key or by pointer.
export class Holding {
  constructor(done) {
    this.done = done;
    this.control = null;
  }

  press(control) {
    if (this.control) return;
    this.control = control;
    control.classList.add('pressed');
    this.timer = setTimeout(() => {
      this.release();
      this.done(control);
    }, HOLD_MS);
  }

  release() {
    clearTimeout(this.timer);
    this.control?.classList.remove('pressed');
    this.control = null;
  }
}

// The same for who cannot keep anything pressed, as with a screen reader: twice within a while.
export class Twice {
  constructor(done, say) {
    Object.assign(this, { done, say, control: null });
  }

  press(control) {
    clearTimeout(this.timer);
    if (this.control === control) {
      this.control = null;
      this.done(control);
      return;
    }
    this.control = control;
    this.say('Press it once more to do it.');
    this.timer = setTimeout(() => { this.control = null; }, TWICE_MS);
  }
}
