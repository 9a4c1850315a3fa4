/* A disk that a test can cut the power of, loaded with LD_PRELOAD.
 *
 * What is on the disk is what was synced, and nothing else: fsync and fdatasync copy the whole file, as it is then, to
 * a folder beside; fsync of a folder notes which names it has. A name that was never noted, and bytes that were never
 * copied, are gone when the power is. Once the file `cut` is there no sync ends any more, so nobody is told of anything
 * that is not on the disk.
 *
 *   POWER_ROOTS  folders that lie on the disk, each with a colon behind it
 *   POWER_DISK   the folder beside: files/KEY, folders/KEY, lock, cut
 *   POWER_DEAF   files whose path ends in one of these words, with colons between, are not synced, though the caller is
 *                told so; a word that ends in a slash names a folder (optional)
 *
 * KEY is inode and time of birth, for an inode is used again. Files opened with O_SYNC or O_DSYNC are not seen.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_on_the_disk(const char *path) {
  const char *roots = getenv("POWER_ROOTS");
  while (roots && *roots) {
    const char *end = strchr(roots, ':');
    if (!end) return 0;
    size_t length = (size_t)(end - roots);
    if (!strncmp(path, roots, length) && (path[length] == '/' || !path[length])) return 1;
    roots = end + 1;
  }
  return 0;
}

static int is_deaf_to(const char *path) {
  const char *deaf = getenv("POWER_DEAF");
  while (deaf && *deaf) {
    const char *end = strchrnul(deaf, ':');
    size_t length = (size_t)(end - deaf);
    char word[PATH_MAX];
    snprintf(word, sizeof word, "%.*s", (int)length, deaf);
    const char *found = length ? strstr(path, word) : NULL;
    if (found && (word[length - 1] == '/' || !found[length])) return 1;
    deaf = *end ? end + 1 : end;
  }
  return 0;
}

static int key_of(int folder, const char *name, char *key, size_t size, unsigned *mode) {
  struct statx found;
  if (statx(folder, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found)) return -1;
  long long born = found.stx_mask & STATX_BTIME
                       ? (long long)found.stx_btime.tv_sec * 1000000000LL + found.stx_btime.tv_nsec
                       : 0;
  snprintf(key, size, "%llu-%lld", (unsigned long long)found.stx_ino, born);
  *mode = found.stx_mode;
  return 0;
}

static int copy(int to, const char *from) {
  int source = open(from, O_RDONLY | O_CLOEXEC);
  if (source < 0) return -1;
  static const size_t SIZE = 1 << 16;
  char *buffer = malloc(SIZE);
  ssize_t got = buffer ? 0 : -1;
  while (buffer && (got = read(source, buffer, SIZE)) > 0) {
    for (ssize_t done = 0; done < got;) {
      ssize_t written = write(to, buffer + done, (size_t)(got - done));
      if (written < 0) { got = -1; break; }
      done += written;
    }
    if (got < 0) break;
  }
  free(buffer);
  close(source);
  return got < 0 ? -1 : 0;
}

static int list(int to, const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return -1;
  for (struct dirent *entry; (entry = readdir(folder));) {
    char key[64], line[NAME_MAX + 96];
    unsigned mode;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (key_of(dirfd(folder), entry->d_name, key, sizeof key, &mode)) continue;
    int length = snprintf(line, sizeof line, "%c %o %s %s\n", S_ISDIR(mode) ? 'd' : S_ISREG(mode) ? 'f' : 'o',
                          mode & 07777, key, entry->d_name);
    if (write(to, line, (size_t)length) != length) { closedir(folder); return -1; }
  }
  closedir(folder);
  return 0;
}

/* Puts the file, or the names of the folder, on the disk. */
static int keep(int fd, const char *path, const char *disk) {
  char key[64], self[64], draft[PATH_MAX], final[PATH_MAX];
  unsigned mode;
  if (key_of(fd, "", key, sizeof key, &mode)) return -1;
  struct stat found;
  /* What has no name any more has no place to be found at. */
  if (fstat(fd, &found) || !found.st_nlink) return 0;
  const char *kind = S_ISDIR(mode) ? "folders" : "files";
  snprintf(draft, sizeof draft, "%s/draft-%d", disk, getpid());
  snprintf(final, sizeof final, "%s/%s/%s", disk, kind, key);
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int to = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (to < 0) return -1;
  fchmod(to, 0666);
  int failed = S_ISDIR(mode) ? list(to, path) : copy(to, self);
  close(to);
  return failed ? -1 : rename(draft, final);
}

/* Gives 0 when it was done here, 1 when the file is none of ours. */
static int sync_here(int fd) {
  const char *disk = getenv("POWER_DISK");
  char self[64], path[PATH_MAX], name[PATH_MAX];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(self, path, sizeof path - 1);
  if (!disk || length < 0) return 1;
  path[length] = 0;
  if (!is_on_the_disk(path)) return 1;
  if (is_deaf_to(path)) return 0;
  snprintf(name, sizeof name, "%s/lock", disk);
  int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock < 0 || flock(lock, LOCK_EX)) abort();
  snprintf(name, sizeof name, "%s/cut", disk);
  if (!access(name, F_OK)) {
    close(lock);
    for (;;) pause();
  }
  /* A disk that fails would prove nothing. */
  if (keep(fd, path, disk)) abort();
  close(lock);
  return 0;
}

static int sync_by(const char *name, int fd) {
  int kept = errno;
  if (sync_here(fd) == 0) {
    errno = kept;
    return 0;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real ? real(fd) : -1;
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
