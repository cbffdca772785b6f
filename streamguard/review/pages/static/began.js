// The clock of a case: how long it has been going on, by the second.
// Rule: it is told by the console's clock, and nobody is interrupted by it.

const TICK_MS = 250; // so that no second is passed over

function two(count) {
  return String(count).padStart(2, '0');
}

function said(seconds) {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${two(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Began {
  // nowS: the console's clock as the page came, seconds since 1970.
  constructor(nowS) {
    this.aheadMs = nowS * 1000 - Date.now();
    this.mark = null;
    this.draw();
    setInterval(() => this.draw(), TICK_MS);
  }

  // mark: where the reviewer marked the start, an epoch and a media time; null for nowhere.
  since(mark) {
    this.mark = mark;
    this.draw();
  }

  draw() {
    const element = document.getElementById('began');
    if (!element) return;
    element.hidden = false;
    const { at, from } = this.start(element.dataset);
    put(element, said(Math.max(0, Math.floor((Date.now() + this.aheadMs) / 1000 - at))));
    put(document.getElementById('began-from'), `${from}:`);
  }

  start({ at, said: from, epochs }) {
    const known = this.mark && JSON.parse(epochs).find(([epoch]) => epoch === this.mark.epoch);
    if (!known) return { at: Number(at), from };
    const [, firstMs, firstS] = known;
    return { at: firstS + (this.mark.ms - firstMs) / 1000, from: 'since the start that you marked' };
  }
}
