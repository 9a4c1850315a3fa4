//! Mails in a folder, as every mail program reads them: a Maildir, each mail a file that also opens by itself.

use crate::error::MailError;
use crate::message::OutgoingMail;
use std::path::PathBuf;
use tokio::fs;

/// A Maildir: `new` has what nobody has looked at.
pub struct Maildir {
    folder: PathBuf,
}

impl Maildir {
    /// In this folder, which is made with the first mail.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The name follows from the mail: put twice, it is one file.
    pub(crate) async fn put(&self, mail: &OutgoingMail<'_>, bytes: &[u8]) -> Result<(), MailError> {
        let name = format!("{}.{}.eml", mail.written_at.seconds(), mail.id);
        self.write(&name, bytes).await.map_err(|error| MailError::Later(format!("the mail folder: {error}")))
    }

    async fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(self.folder.join(part)).await?;
        }
        let unfinished = self.folder.join("tmp").join(name);
        fs::write(&unfinished, bytes).await?;
        fs::File::open(&unfinished).await?.sync_all().await?;
        fs::rename(unfinished, self.folder.join("new").join(name)).await?;
        // The name itself outlives a power cut, too.
        fs::File::open(self.folder.join("new")).await?.sync_all().await
    }
}
