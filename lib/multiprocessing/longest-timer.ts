/** The most milliseconds that setTimeout takes: with more it comes at once. */
export const longestTimer = 2 ** 31 - 1
