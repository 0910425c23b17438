// Says in the page when the program has ended, and when it is back.
(function () {
  let isGone = false;
  async function look() {
    let isAlive = false;
    try { isAlive = (await fetch('/alive', {cache: 'no-store'})).ok; } catch { }
    if (isAlive && isGone) { location.reload(); return; }
    if (!isAlive && !isGone) {
      isGone = true;
      const note = document.createElement('div');
      note.id = 'mmpe-gone';
      note.textContent = 'The program has ended: start it again with “python demo/web.py”. '
        + 'What was made is kept, and a training can go on. This page comes back by itself.';
      document.body.prepend(note);
    }
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
})();
