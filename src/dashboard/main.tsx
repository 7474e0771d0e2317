import { render } from "preact";
import { loadSession } from "./state/access.ts";
import { startKeyboard } from "./app/keyboard.ts";
import { startLive } from "./live/overview.ts";
import { NAVIGATION } from "./app/navigation_items.ts";
import { CurrentPage } from "./app/pages.tsx";
import { startRouter } from "./state/router.ts";
import { startTheme } from "./state/settings.ts";
import { Shell } from "./app/shell.tsx";
import { showOnlyVisibleTexts } from "./app/visible_texts.ts";
import { startClock } from "./browser/clock.ts";

showOnlyVisibleTexts();
startTheme();
startClock();
startRouter();
startKeyboard(NAVIGATION.flat());
startLive();
void loadSession();
render(
  <Shell>
    <CurrentPage />
  </Shell>,
  document.getElementById("app")!,
);
