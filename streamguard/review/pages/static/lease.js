// Keeps the case in hand while somebody looks, and warns before it is lost.

import { post } from './api.js';

export class LeaseKeeper {
  constructor(path, token, leaseS, lost) {
    Object.assign(this, { path, token, lost });
    this.leaseMs = leaseS * 1000;
    this.banner = document.getElementById('lease');
    this.until = performance.now() + this.leaseMs;
    this.timers = [
      setInterval(() => this.renew(), this.leaseMs / 4),
      setInterval(() => this.warn(), 1000),
    ];
    this.renew();
  }

  async renew() {
    const asked = performance.now();
    try {
      await post(`${this.path}/renew`, { token: this.token });
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
    this.say(isShort ? 'The console is not heard: the case may soon not be in your hands.' : '');
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
