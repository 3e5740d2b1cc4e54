export { default } from "@vapi-ai/web";
