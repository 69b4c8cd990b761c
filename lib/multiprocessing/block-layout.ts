// Where in a block the words are that can be waited for; native/posix/shared_lock.h and shared_waiters.h lay it out.

/** What a lock, a semaphore or an event is waited for by. */
export const wordOffset = 8

const placesOffset = 64
const placeSize = 16
const wordInPlace = 8

/** The word of one of those who wait for a condition or at a barrier. */
export function wordOfPlace(place: number): number {
  return placesOffset + place * placeSize + wordInPlace
}
