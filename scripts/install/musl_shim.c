// For trials only: what glibc's libstdc++ needs and musl has not. Destructors of threads do nothing.
typedef unsigned long size_t;
unsigned long strtoul(const char *, char **, int);
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
char __libc_single_threaded = 0;
int _dl_find_object(void *address, void *result) { return -1; }
int __cpu_indicator_init(void) { return 0; }
struct { unsigned values[4]; } __cpu_model;
unsigned __cpu_features2[4];
size_t strftime_l(char *, size_t, const char *, const void *, void *);
size_t __strftime_l(char *text, size_t max, const char *format, const void *time, void *locale) {
  return strftime_l(text, max, format, time, locale);
}
int getrandom(void *, size_t, unsigned);
unsigned arc4random(void) {
  unsigned value;
  getrandom(&value, 4, 0);
  return value;
}
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) { return 0; }
int strfromf128(char *text, size_t max, const char *format, long double value) { return 0; }
__float128 strtof128(const char *text, char **end) { return 0; }
