//! Files and folders that are their owner's alone, and names that survive a power cut.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the names in a folder survive a power cut.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Creates a folder that only its owner may enter.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// New files opened so are their owner's alone.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// A new file that is its owner's alone, in the place of any from before: one that a crash left
/// behind may have other rights, and in a folder that others write to it may be somebody's link.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path)
}

/// Puts a small file that only its owner may read in the place of another: a reader finds the old
/// one or the new one, whole.
///
/// # Errors
/// When the disk does not take it; then the old one is still there.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let part = path.with_extension("part");
    let mut file = create_private(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_lay_in_the_way_gives_a_new_file_neither_its_rights_nor_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (part, elsewhere) = (
            folder.path().join("a.part"),
            folder.path().join("elsewhere"),
        );
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, &part).unwrap();
        replace_private(&folder.path().join("a"), b"ours").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
        fs::write(&part, "open to all").unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o666)).unwrap();
        replace_private(&folder.path().join("a"), b"again").unwrap();
        let kept = fs::metadata(folder.path().join("a")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
        assert!(!part.exists());
    }
}
