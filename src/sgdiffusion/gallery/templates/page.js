(() => {
  const claims = [...document.querySelectorAll("tr.claim")];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const search = document.querySelector("[name=q]");
  const shown = document.querySelector(".shown");
  const words = new Map(claims.map((row) => [row, row.textContent.toLowerCase()]));
  const ALL = { verdict: "", paper: "", q: "" };
  let chosen = { ...ALL };

  function fits(row) {
    return (!chosen.verdict || row.dataset.verdict === chosen.verdict)
      && (!chosen.paper || row.dataset.paper === chosen.paper)
      && chosen.q.toLowerCase().split(/\s+/).every((word) => words.get(row).includes(word));
  }

  function show() {
    let count = 0;
    for (const row of claims) {
      row.hidden = !fits(row);
      count += row.hidden ? 0 : 1;
    }
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(chosen[button.dataset.filter] === button.dataset.value));
    }
    if (search.value !== chosen.q) search.value = chosen.q;
    document.querySelector("#claims table").hidden = count === 0;
    document.querySelector(".none").hidden = count > 0;
    shown.textContent = `${count} of ${claims.length} claims`;
  }

  // The choice stands in the address, so that a link leads to the same rows. Only the part after # may be
  // changed on a page that is opened as a file.
  function choose(change) {
    chosen = { ...chosen, ...change };
    const set = Object.entries(chosen).filter(([, value]) => value);
    history.replaceState(null, "", set.length ? `#claims?${new URLSearchParams(set)}` : "#claims");
    show();
  }

  // A link to a claim that the filter hides must still lead there.
  function follow() {
    const [name, query] = decodeURIComponent(location.hash.slice(1)).split("?");
    if (query !== undefined) {
      const asked = new URLSearchParams(location.hash.split("?")[1]);
      chosen = Object.fromEntries(Object.keys(ALL).map((key) => [key, asked.get(key) || ""]));
      show();
    }
    const target = name && document.getElementById(name);
    if (!target) return;
    if (target.matches("tr.claim[hidden]")) {
      chosen = { ...ALL };
      show();
    }
    target.scrollIntoView();
  }

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  for (const button of buttons) {
    button.addEventListener("click", () => choose({ [button.dataset.filter]: button.dataset.value }));
  }
  search.addEventListener("input", () => choose({ q: search.value }));
  document.querySelector("form.filter").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector(".reset").addEventListener("click", () => choose(ALL));
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  addEventListener("hashchange", follow);
  const closed = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...closed()]; opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
  show();
  follow();
})();
