// What the function is told by its environment. Names may be shown and logged, values (but the environment's name) never.
export const VARIABLES = ["ENVIRONMENT_NAME", "DB_ENDPOINT", "DB_PORT", "DB_NAME", "DB_SECRET_ARN"];

/** @returns {{environment: string, missing: string[]}} the environment's name, and which variables are absent or empty */
export function readConfiguration(env) {
  return {
    environment: env.ENVIRONMENT_NAME || "unknown",
    missing: VARIABLES.filter((name) => !env[name]),
  };
}
