/** Where a test only gets ready, or looks what came of it: a busy machine may take its time to open a connection. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 20; ; tries -= 1) {
    try {
      return await call()
    } catch (error) {
      if (tries === 0) throw error
    }
  }
}
