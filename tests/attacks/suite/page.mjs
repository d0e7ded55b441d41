// What only a real browser can show: one attack in Chromium. Its setting comes as JSON; the answer is one line of JSON.
import { launch } from "../../e2e/browser.mjs";

const setting = JSON.parse(process.argv[2]);
const browser = await launch();
const context = await browser.newContext();

/** A person logs in at Acme and allows, beginning at our start: it ends at the confirmation. */
async function toConfirmation(page, start) {
  await page.goto(start);
  await page.fill("#username", "alice");
  await page.fill("#password", "demo");
  await page.click("form[action='/oauth/login'] button");
  await page.click("form[action='/oauth/consent'] button[value=allow]");
  await page.waitForURL(/\/connect\/confirm\//);
  return page.url();
}

/** Our frame in this page, which opens it once it asks. */
async function embed(page, opening) {
  await page.evaluate(([address, opening]) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    Object.assign(frame, { src: address, width: 800, height: 700 });
    addEventListener("message", (event) => {
      if (event.source !== frame.contentWindow || event.data?.type !== "mooring:ready") return;
      if (opening) frame.contentWindow.postMessage(opening, "*");
      resolve();
    });
    document.body.append(frame);
  }), [setting.frame, opening]);
}

/** What can be pressed in the page's frame, once it has settled. */
async function pressable(page) {
  await page.waitForTimeout(1500);
  const [, frame] = page.frames();
  return frame.locator("button:not([data-close]):visible, a:visible, input:visible").evaluateAll((all) => all.map((one) => one.outerHTML));
}

const attacks = {
  /** Each address of ours in a frame of the attacker's: none shows anything that can be pressed. */
  async framed() {
    const page = await context.newPage();
    const confirm = await toConfirmation(page, setting.start);
    const shown = [];
    for (const address of [confirm, ...setting.addresses]) {
      await page.goto(setting.evil);
      await page.setContent(`<iframe width=800 height=800 src="${address.replaceAll("&", "&amp;")}"></iframe>`);
      await page.waitForTimeout(700);
      for (const frame of page.frames().slice(1)) {
        const forms = await frame.locator("form").count().catch(() => 0);
        if (forms > 0) shown.push(`${address}: ${frame.url()}`);
      }
      await page.mouse.click(200, 400);
    }
    return { shown };
  },

  /** The second click of a double click falls on our page, which stood ready behind the attacker's window. */
  async doubleClicked() {
    const page = await context.newPage();
    const confirm = await toConfirmation(page, setting.start);
    const button = await page.locator("button[value=confirm]").boundingBox();
    const spot = [button.x + button.width / 2, button.y + button.height / 2];
    // it has long been there, behind the window that lies on top and has the pointer
    await page.mouse.move(-10, -10);
    await page.goto(confirm);
    await page.waitForTimeout(2000);
    await page.mouse.click(...spot, { delay: 50 });
    await page.waitForTimeout(150);
    await page.mouse.click(...spot, { delay: 50 });
    await page.waitForTimeout(500);
    const stays = page.url() === confirm;
    // an honest person moves to the button, reads, and presses
    if (stays) await page.click("button[value=confirm]", { noWaitAfter: true });
    await page.waitForTimeout(500);
    return { stays, end: page.url() };
  },

  /** Every address that a browser names as a referrer on its way through a flow, as the servers on the way get it. */
  async referred() {
    const page = await context.newPage();
    const said = [];
    page.on("request", async (request) => {
      const headers = await request.allHeaders().catch(() => ({}));
      if (headers.referer) said.push([request.url(), headers.referer]);
    });
    await page.goto(setting.link);
    const pressed = page.locator("form[action*='/connect/'] button[type=submit]").first();
    await pressed.click();
    await page.waitForURL((url) => url.href.startsWith(setting.provider));
    const asked = page.url();
    await page.goto(`${setting.consent}?${new URLSearchParams({ url: asked })}`);
    await page.waitForURL(/\/connect\/confirm\//);
    await page.hover("h1");
    await page.waitForTimeout(1500);
    await page.click("button[value=confirm]");
    await page.waitForURL((url) => url.href.startsWith(setting.evil));
    return { said: said.filter(([, referer]) => referer.startsWith(setting.base)), end: page.url() };
  },

  /** A page that is not the app's opens our start page and hands it a session of the attacker's. */
  async bound() {
    const page = await context.newPage();
    const heard = {};
    for (const site of [setting.evil, setting.app]) {
      await page.goto(site);
      heard[site] = await page.evaluate(async ([start, session]) => {
        const heard = [];
        let opened;
        addEventListener("message", (event) => {
          heard.push(event.data);
          if (event.data?.type === "mooring:ready") opened.postMessage({ type: "mooring:session", session }, "*");
        });
        opened = open(start, "_blank", "width=500,height=600");
        for (let round = 0; round < 40 && !heard.some((data) => data.attempt || data.error); round++) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        return heard;
      }, [setting.start, setting.session]);
    }
    return { evil: heard[setting.evil], app: heard[setting.app] };
  },

  /** Our frame in a page, opened as each of its clients does: what of it can be pressed, but for what closes it. */
  async embedded() {
    const found = {};
    for (const site of setting.sites) {
      await context.route(`${site}/session**`, (route) => route.fulfill({
        headers: { "access-control-allow-origin": "*", "access-control-allow-headers": "*" },
        json: { rows: [{ platform: "acme", title: "Acme", active: true }], pages: 1, session: setting.session },
      }));
      const openings = [
        { type: "mooring:open", session: setting.session },
        { type: "mooring:open", session: setting.session, connector: "acme" },
        { linkTokenEndpoint: `${site}/session`, linkHeaders: {}, capabilities: { oauthRedirect: false } },
        { linkTokenEndpoint: `${site}/session`, linkHeaders: {}, selectedConnection: "Acme", capabilities: { oauthRedirect: true } },
      ];
      found[site] = [];
      for (const opening of openings) {
        const page = await context.newPage();
        await page.goto(site);
        await embed(page, opening);
        found[site].push(await pressable(page));
        await page.close();
      }
    }
    return found;
  },

  /** A window that is not the frame's parent speaks to it first. */
  async spokenTo() {
    const page = await context.newPage();
    await page.goto(setting.evil);
    const [app] = await Promise.all([page.waitForEvent("popup"), page.evaluate((url) => void (window.app = open(url)), setting.app)]);
    await app.waitForLoadState();
    await embed(app);
    const heard = await page.evaluate(async (session) => {
      const heard = [];
      addEventListener("message", (event) => heard.push(JSON.stringify(event.data)));
      for (let round = 0; round < 10; round++) {
        window.app.frames[0].postMessage({ type: "mooring:open", session }, "*");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return heard;
    }, setting.session);
    await app.evaluate((session) => frames[0].postMessage({ type: "mooring:open", session }, "*"), setting.session);
    return { heard, shown: await pressable(app) };
  },

  /** A page that opened ours talks to it, listens, and tries to reach into it. */
  async messaged() {
    const victim = await context.newPage();
    const confirm = await toConfirmation(victim, setting.start);
    const page = await context.newPage();
    await page.goto(setting.evil);
    const heard = await page.evaluate(async (addresses) => {
      const heard = [];
      addEventListener("message", (event) => heard.push(JSON.stringify(event.data)));
      for (const address of addresses) {
        const opened = open(address, "_blank", "width=500,height=600");
        for (let round = 0; round < 10; round++) {
          for (const data of ["confirm", { decision: "confirm" }, { type: "submit" }, "vectorize-connect-complete"]) opened?.postMessage(data, "*");
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        try {
          heard.push(`reached ${opened.document.title}`);
        } catch {
          // a window of another origin
        }
        if (opened && !opened.closed && opened.length > 0) heard.push("it has frames");
      }
      return heard;
    }, [confirm, ...setting.addresses]);
    return { heard };
  },
};

try {
  console.log(JSON.stringify(await attacks[setting.attack]()));
} finally {
  await browser.close();
}
