// Keeps a page current: on a new check the parts marked data-live are asked for again and replaced.
"use strict";
(() => {
  const link = document.getElementById("link");
  let stream = null;
  let asking = false;
  let again = false;
  let patience = 10;

  const say = (text) => {
    if (link) {
      link.hidden = text === "";
      link.textContent = text;
    }
  };

  const place = (element) =>
    element && element.closest("[data-live]") && element.getAttribute("href");

  function replace(fresh) {
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
    if (fresh.title) {
      document.title = fresh.title;
    }
    // What is being read is there in a moment; where it is not, nobody asks for ever.
    if (document.querySelector("[data-unread]") && patience > 0) {
      patience -= 1;
      setTimeout(refresh, 300);
    }
  }

  async function refresh() {
    if (document.hidden) {
      return;
    }
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
      if (answer.ok) {
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
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

  function listen() {
    stream = new EventSource("/events");
    stream.addEventListener("ready", () => {
      document.documentElement.dataset.live = "on";
      refresh();
    });
    stream.addEventListener("check", refresh);
    stream.addEventListener("error", () => {
      document.documentElement.dataset.live = "off";
      say("Not connected: trying again");
    });
  }

  // A browser opens six connections to one host: pages that nobody looks at take none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
    } else {
      listen();
    }
  });
  if (!document.hidden) {
    listen();
  }
  // Ages grow, and a check that is overdue makes no event. A stream that was refused is not tried again
  // by the browser itself.
  setInterval(() => {
    refresh();
    if (!document.hidden && stream?.readyState === EventSource.CLOSED) {
      listen();
    }
  }, 30000);

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
