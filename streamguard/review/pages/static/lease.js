// Keeps the case in hand while somebody looks, and warns before it is lost.

import { post } from './api.js';

const LEFT_MS = 240_000; // a minute before the case is taken from whoever has left it

export class LeaseKeeper {
  constructor(path, token, leaseS, lost) {
    Object.assign(this, { path, token, lost });
    this.leaseMs = leaseS * 1000;
    this.banner = document.getElementById('lease');
    this.until = performance.now() + this.leaseMs;
    this.activeAt = performance.now();
    this.isActive = true;
    for (const what of ['keydown', 'pointerdown', 'pointermove']) {
      document.addEventListener(what, () => { this.activeAt = performance.now(); this.isActive = true; });
    }
    this.timers = [
      setInterval(() => this.renew(), this.leaseMs / 4),
      setInterval(() => this.warn(), 1000),
    ];
    this.renew();
  }

  async renew() {
    const asked = performance.now();
    const isActive = this.isActive;
    this.isActive = false;
    try {
      await post(`${this.path}/renew`, { token: this.token, is_active: isActive });
      this.until = asked + this.leaseMs;
    } catch (error) {
      if (error.status === 409) this.end(error.message);
    }
    this.warn();
  }

  warn() {
    if (this.timers.length === 0) return;
    const left = Math.ceil((this.until - performance.now()) / 1000);
    if (left <= 0) {
      this.end('the lease has ended');
      return;
    }
    const isShort = left * 1000 < this.leaseMs / 2;
    const isLeft = performance.now() - this.activeAt > LEFT_MS;
    if (isShort) this.say('The console is not heard: the case may soon not be in your hands.');
    else this.say(isLeft ? 'Are you there? Press any key, or the case goes to somebody else.' : '');
  }

  say(text) {
    this.banner.hidden = text === '';
    if (this.banner.textContent !== text) this.banner.textContent = text;
  }

  end(why) {
    if (this.timers.length === 0) return;
    this.stop();
    this.lost();
    this.say(`The case is no longer in your hands: ${why}.`);
  }

  stop() {
    this.timers.forEach(clearInterval);
    this.timers = [];
  }
}
