import { render } from "preact";

render(<main>jobctl</main>, document.getElementById("app")!);
