// Offers to take a decision back, as long as that may be done.

import { post, say, tell } from './api.js';

export class Undoing {
  constructor(button, path) {
    Object.assign(this, { button, path, timer: null });
  }

  // made: the decision; since: when it was asked for, on the clock of performance.now().
  offer(made, since) {
    if (!made.undo_until) return;
    const until = since + Date.parse(made.undo_until) - Date.parse(made.decided_at);
    const left = document.getElementById('undo-left');
    const tick = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      left.textContent = `(${seconds} s)`;
      if (seconds <= 0) this.end();
    };
    this.button.hidden = false;
    this.timer = setInterval(tick, 250);
    tick();
  }

  end() {
    clearInterval(this.timer);
    this.button.hidden = true;
  }

  async take() {
    if (this.button.hidden) return;
    this.end();
    try {
      await post(`${this.path}/undo`);
      say('Undone: the case waits again.');
    } catch (error) {
      tell(error);
    }
  }
}
