# The console in a real Chromium. Arguments: its address, the path of chromium, a folder for pictures, or "-" for none.
# Standard output says "stop" and "start" when the server is to end and to come back; a line on standard input confirms it.
import sys
import time
from playwright.sync_api import sync_playwright

ADDRESS, CHROMIUM, PICTURES = sys.argv[1:4]
PATIENCE = 60_000
PANELS = ["books", "limits", "positions", "depth", "alerts", "verdicts", "decisions", "dead_letters", "commits"]
HOSTILE = "<img src=x onerror=document.title='hacked'>"


def watched(page, problems):
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    # Where the browser refuses something by the policy, it is in the page's console, too.
    page.add_init_script("document.addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))")
    return page


def until(page, expression, argument=None):
    # The page's policy allows no `eval`, with which Playwright's own waiting works.
    ends = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, argument):
        assert time.monotonic() < ends, f"it does not become true: {expression}"
        page.wait_for_timeout(50)


def panels_have_rows(page, has_flow):
    if has_flow:
        page.locator("#flow svg .box").first.wait_for()
    for name in PANELS:
        # A panel is asked when it can be seen.
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.locator(f"#{name} tbody tr").first.wait_for()
        note = page.locator(f"#{name} .note")
        assert note.is_hidden(), f"{name}: {note.inner_text()}"


def fits(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"the page is wider than {width} px"


def run(page, text):
    page.fill("#statement-text", text)
    page.press("#statement-text", "Control+Enter")


def statements(page):
    run(page, "SELECT account_id, posted FROM balances ORDER BY account_id, currency LIMIT 5")
    until(page, "document.querySelectorAll('#statement-rows tbody tr').length === 5")
    assert page.locator("#statement-rows td.number").count() == 5
    assert "5 rows of commit" in page.inner_text("#statement-status")
    run(page, "SELECT 9007199254740993 AS n, 0.1000000000000000055511151231257827 AS d")
    page.get_by_text("9007199254740993", exact=True).wait_for()
    page.get_by_text("0.1000000000000000055511151231257827", exact=True).wait_for()
    run(page, "SELECT 1 +\n  ) x")
    page.locator("#statement-error").wait_for()
    assert "^" in page.inner_text("#statement-error"), page.inner_text("#statement-error")
    run(page, "DELETE FROM balances")
    page.get_by_text("tables are written by the pipeline alone").wait_for()
    run(page, "SELECT value AS x, value * value AS square, -value AS negative FROM generate_series(1, 20)")
    page.check("#as-chart")
    page.locator("#statement-chart svg path.series").nth(1).wait_for()
    earlier = page.locator("#history option").all_inner_texts()
    assert len(earlier) == 6 and earlier[1].startswith("SELECT value AS x"), earlier
    page.select_option("#history", index=3)
    assert page.input_value("#statement-text").startswith("SELECT 1 +"), "an earlier statement comes back"


def hostile_text_stays_text(page):
    run(page, f"""SELECT '{HOSTILE.replace("'", "''")}' AS "<b>bold</b>", CAST(text AS VARCHAR) AS text FROM dead_letters LIMIT 20""")
    page.locator("#statement-rows th", has_text="<b>bold</b>").wait_for()
    assert page.locator("#statement-rows td").first.inner_text() == HOSTILE
    page.locator("#dead_letters").scroll_into_view_if_needed()
    page.locator("#dead_letters tbody tr").first.wait_for()
    assert page.locator("img, #panels b, #panels script").count() == 0
    assert page.title() == "Headwater", page.title()


def keys(page):
    page.locator("h1").click()
    page.keyboard.press("?")
    page.locator("#keys[open]").wait_for()
    assert page.locator("#keys-list kbd").count() >= 10
    page.keyboard.press("Escape")
    page.locator("#keys[open]").wait_for(state="detached")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "statement-text"
    page.keyboard.type("?/t")
    assert page.input_value("#statement-text").endswith("?/t"), "keys are text while something is typed"
    page.evaluate("document.activeElement.blur()")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.keyboard.press("t")
    page.keyboard.press("p")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    page.keyboard.press("p")
    page.keyboard.press("1")
    # From the top, Tab reaches the link that skips the panels, then the header in the order of reading.
    page.goto(ADDRESS)
    page.locator("#contents a").first.wait_for()
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className || document.activeElement.getAttribute('href') || document.activeElement.id"))
    assert reached[0] == "skip" and reached[1].startswith("#"), reached


def evidence(page):
    page.locator("#alerts").scroll_into_view_if_needed()
    # The rows may be shown anew at any time, so none of them is held.
    identifier = page.locator("#alerts tbody button").first.get_attribute("data-id")
    page.locator(f"#alerts button[data-id={quoted(identifier)}]").click()
    until(page, "id => document.getElementById('evidence-text').textContent.includes(id)", f"alert {identifier}")
    page.keyboard.press("Escape")
    page.locator("#evidence[open]").wait_for(state="detached")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def proof(page):
    page.click("#verify")
    page.get_by_text("rows as they were written").wait_for()


def comes_back(page):
    assert page.get_attribute("#connection", "data-state") == "live"
    before = page.inner_text("#commit")
    print("stop", flush=True)
    sys.stdin.readline()
    until(page, "document.getElementById('connection').dataset.state === 'lost'")
    print("start", flush=True)
    sys.stdin.readline()
    until(page, "document.getElementById('connection').dataset.state === 'live'")
    assert page.inner_text("#commit") == before
    run(page, "SELECT 1 AS again")
    page.get_by_text("again", exact=True).wait_for()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
    for scheme in ("light", "dark"):
        for width, height in ((1280, 900), (390, 844)):
            problems = []
            page = watched(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height}).new_page(), problems)
            page.goto(ADDRESS)
            has_flow = page.evaluate("fetch('/api/status').then((answer) => answer.json()).then((status) => status.has_flow)")
            panels_have_rows(page, has_flow)
            fits(page, width)
            if (scheme, width) == ("light", 1280):
                statements(page)
                hostile_text_stays_text(page)
                evidence(page)
                proof(page)
                keys(page)
                panels_have_rows(page, has_flow)
            if (scheme, width) == ("dark", 390):
                statements(page)
                fits(page, width)
            if PICTURES != "-":
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=f"{PICTURES}/{scheme}-{width}.png", full_page=True)
            # A statement that is refused on purpose is an answer of 400, which the browser notes.
            unexpected = [text for text in problems if "status of 400" not in text]
            assert unexpected == [], unexpected
            page.context.close()
    problems = []
    page = watched(browser.new_page(), problems)
    page.goto(ADDRESS)
    until(page, "document.getElementById('connection').dataset.state === 'live'")
    if "--restarts" in sys.argv:
        comes_back(page)
    browser.close()
print("done", flush=True)
