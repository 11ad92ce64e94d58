/** Measured: a quarter of this takes half again as long to send, twice of it saves nothing. */
const mostBytes = 512 * 1024
/** What is left where thousands are sent. */
const leastBytes = 64 * 1024
/** Of all pieces together, as far as the least size allows. */
const budgetBytes = 128 * 1024 * 1024

/** The blobs that are being sent, each of which keeps two pieces in memory, also for a client that has stopped reading. */
export class SendingBlobs {
  #running = 0

  /** Sends one, in pieces of so many bytes: the more are being sent, the smaller. */
  async send(sendIn: (pieceBytes: number) => Promise<void>): Promise<void> {
    this.#running += 1
    try {
      const share = Math.floor(budgetBytes / 2 / this.#running)
      await sendIn(Math.min(Math.max(share, leastBytes), mostBytes))
    } finally {
      this.#running -= 1
    }
  }
}
