export { hangs, never } from "./stubs.ts";
export type { StepStub } from "./stubs.ts";
export { TestFlow, testFlow } from "./test_flow.ts";
export type { TestFlowOptions, TestStep, TestWait } from "./test_flow.ts";
