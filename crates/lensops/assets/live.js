// Keeps a page current: on a new check the parts marked data-live are asked for again and replaced.
"use strict";
(() => {
  const link = document.getElementById("link");
  let asking = false;
  let again = false;

  const say = (text) => {
    if (link) {
      link.hidden = text === "";
      link.textContent = text;
    }
  };

  const place = (element) =>
    element && element.closest("[data-live]") && element.getAttribute("href");

  async function refresh() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = place(document.activeElement);
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(old.id);
        if (now && now.innerHTML !== old.innerHTML) {
          old.replaceChildren(...now.childNodes);
        }
      }
      if (focused && !place(document.activeElement)) {
        const same = document.querySelector(`[data-live] a[href="${CSS.escape(focused)}"]`);
        if (same) {
          same.focus();
        }
      }
      say(answer.ok ? "" : "The page cannot be read now");
    } catch {
      say("Not connected");
    } finally {
      asking = false;
      if (again) {
        again = false;
        setTimeout(refresh, 700);
      }
    }
  }

  const stream = new EventSource("/events");
  stream.addEventListener("ready", () => {
    document.documentElement.dataset.live = "on";
    refresh();
  });
  stream.addEventListener("check", refresh);
  stream.addEventListener("error", () => {
    document.documentElement.dataset.live = "off";
    say("Not connected: trying again");
  });
  // Ages grow, and a check that is overdue makes no event.
  setInterval(refresh, 30000);

  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("q");
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (!search || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.blur();
    }
  });
})();
