// What the page can do beyond being read: names at the pointer, sorting, copying. It works without, too.
(() => {
  const tip = document.getElementById('tip');
  const status = document.getElementById('status');

  // SVG titles are for screen readers; the pointer gets a tip that appears sooner.
  for (const title of document.querySelectorAll('svg.plot title')) {
    const mark = title.parentNode;
    if (mark.tagName.toLowerCase() !== 'svg') mark.dataset.tip = title.textContent;
    title.remove();
  }
  for (const panel of document.querySelectorAll('.linear')) {
    const named = panel.parentNode.querySelectorAll('.log circle');
    for (const [i, dot] of panel.querySelectorAll('circle').entries())
      if (named[i]?.dataset.tip) dot.dataset.tip = named[i].dataset.tip;
  }
  for (const svg of document.querySelectorAll('svg.plot')) {
    svg.setAttribute('aria-label', svg.querySelector('desc')?.textContent ?? '');
    svg.removeAttribute('aria-labelledby');
  }

  const nearest = (event) => {
    const svg = event.target.closest?.('svg.plot');
    if (!svg) return null;
    if (event.target.dataset.tip) return event.target;
    let found = null;
    let least = 14;
    for (const mark of svg.querySelectorAll('circle[data-tip]')) {
      const box = mark.getBoundingClientRect();
      const away = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
      if (away < least) [found, least] = [mark, away];
    }
    return found;
  };

  const show = (event) => {
    const mark = nearest(event);
    tip.hidden = !mark;
    document.querySelector('[data-tip].pointed')?.classList.remove('pointed');
    if (!mark) return;
    mark.classList.add('pointed');
    tip.textContent = mark.dataset.tip;
    const { width, height } = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, room - width - 4))}px`;
    tip.style.top = `${event.clientY > height + 20 ? event.clientY - height - 10 : event.clientY + 18}px`;
  };
  document.addEventListener('pointermove', show);
  document.addEventListener('pointerdown', show);
  document.addEventListener('scroll', () => {
    tip.hidden = true;
  });

  // Browsers that do not open the folds around a link's target by themselves.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    let fold = target?.closest('details:not([open])');
    if (!fold) return;
    for (; fold; fold = target.closest('details:not([open])')) fold.open = true;
    target.scrollIntoView();
  };
  window.addEventListener('hashchange', reveal);
  reveal();

  const sortKey = (cell) => {
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === '' ? Number.NEGATIVE_INFINITY : Number(cell.dataset.value);
  };
  const sort = (head, button) => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    for (const other of head.parentNode.children) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const body = head.closest('table').tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [sortKey(a.cells[head.cellIndex]), sortKey(b.cells[head.cellIndex])];
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    body.append(...rows);
    status.textContent = `sorted by ${button.textContent.trim()}, ${down ? 'descending' : 'ascending'}`;
  };
  for (const head of document.querySelectorAll('th[data-sort]')) {
    // Two or three rows are compared at a glance, and every button is one more stop of the Tab key.
    if (head.closest('table').tBodies[0].rows.length < 4) continue;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'sort';
    button.setAttribute('aria-label', `sort by ${head.textContent.trim()}`);
    button.addEventListener('click', () => sort(head, head));
    head.append(button);
  }

  const copyByHand = (text) => {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error('the browser refused'));
  };
  const copy = (text) => (navigator.clipboard ? navigator.clipboard.writeText(text) : copyByHand(text));
  const numbers = JSON.parse(document.getElementById('page-data').textContent);
  for (const button of document.querySelectorAll('button.copy')) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener('click', () => {
      const answer = (text) => {
        button.textContent = status.textContent = text;
        setTimeout(() => {
          button.textContent = label;
        }, 1600);
      };
      const part = button.dataset.copy === '' ? numbers : numbers[button.dataset.copy];
      copy(JSON.stringify(part, null, 2)).then(
        () => answer('Copied'),
        () => answer('Could not copy: take it from report.json'),
      );
    });
  }
})();
