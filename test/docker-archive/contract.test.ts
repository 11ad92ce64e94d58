import { imageStoreContract } from '../support/image-store-contract.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { ReplayedArchive } from './replayed-archive.ts'

imageStoreContract(
  'an archive of docker',
  async () => {
    const folder = await makeTempDir()
    const store = new ReplayedArchive(folder.path)
    const dispose = async () => {
      await store.close()
      await folder.remove()
    }
    return { store, dispose }
  },
  { takesIndexes: false },
)
