"use strict";
(() => {
  const claims = [...document.querySelectorAll("tr.claim")];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const shown = document.querySelector(".shown");

  function show(verdict) {
    let count = 0;
    for (const claim of claims) {
      claim.hidden = verdict !== "all" && claim.dataset.verdict !== verdict;
      count += claim.hidden ? 0 : 1;
    }
    for (const section of document.querySelectorAll(".claims")) {
      const some = section.querySelector("tr.claim:not([hidden])");
      section.querySelector("table").hidden = !some;
      section.querySelector(".none").hidden = Boolean(some);
    }
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === verdict));
    }
    shown.textContent = `${count} of ${claims.length} claims`;
  }

  // A link to a claim that the filter hides must still lead there; so must one inside a closed part.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.matches("tr.claim[hidden]")) show("all");
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

  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.filter));
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  addEventListener("hashchange", reveal);
  const closed = () => document.querySelectorAll("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...closed()]; opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
  show("all");
  reveal();
})();
