"""Headless Chromium for the page's tests: Debian's chromium, chromium-driver and python3-selenium (or PyPI's)."""
import atexit
import json
import os
import shutil

from program import QUERN

GUARD = 120  # seconds: against hanging alone
SHOTS = os.path.join(os.path.dirname(os.path.dirname(QUERN)), "page")  # build/page: screenshots of the last run

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
    missing = None if shutil.which("chromium") and shutil.which("chromedriver") else "chromium or chromium-driver is not installed"
except ImportError:
    missing = "selenium is not installed (python3-selenium)"


drivers = {}  # a browser for phones and one for desks, which last as long as the program: starting one takes seconds


def driver_of(phone):
    if phone in drivers:
        return drivers[phone]
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # no-sandbox: tests may run as root in a container.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                 "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if phone:
        metrics = {"width": 375, "height": 740, "pixelRatio": 2, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    drivers[phone] = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    atexit.register(drivers[phone].quit)
    drivers[phone].set_script_timeout(GUARD)
    return drivers[phone]


class Browser:
    """One window: its size is that of a desk or of a phone, its colours light or dark."""

    def __init__(self, phone=False, dark=False):
        self.driver = driver_of(phone)
        self.before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.complaints(), self.requests()  # of the window before
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def close(self):
        self.driver.close()
        self.driver.switch_to.window(self.before)

    def open(self, url):
        self.driver.get(url)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [element.text for element in self.all(selector)]

    def click(self, selector):
        self.one(selector).click()

    def type(self, selector, text):
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def run(self, script, *args):
        return self.driver.execute_script(script, *args)

    def wait(self, condition, what):
        WebDriverWait(self.driver, GUARD, poll_frequency=0.1).until(lambda _: condition(), f"never: {what}")

    def shown(self, selector):
        """Waits until it is there and can be seen."""
        self.wait(lambda: any(e.is_displayed() for e in self.all(selector)), f"{selector} is shown")
        return self.one(selector)

    def shot(self, name):
        os.makedirs(SHOTS, exist_ok=True)
        self.driver.save_screenshot(os.path.join(SHOTS, name + ".png"))

    def complaints(self):
        """What the console says since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Addresses that pages asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
