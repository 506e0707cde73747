/* A PKCS#11 module for tests: passes every call on to $VITRINE_FAULTS_MODULE, and fails some of them on demand.
 *
 * $VITRINE_FAULTS is a directory. While it holds a file named as a function, "RV TIMES MS WHEN":
 *   RV     hexadecimal return value (0: none), TIMES how often (-1: always), MS to sleep first (ends when the file goes),
 *   WHEN   0 instead of the call, 1 after it was done all the same, 2 only in place of another error.
 * NAME.count gets a byte for each call. "own-iv": C_EncryptInit puts in an IV of its own, as some HSMs do.
 * "overlap" appears if the module is finalised while another call is in it. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long U;
typedef U (*F)();
struct list { unsigned char version[2]; F f[68]; };
struct mechanism { U kind; unsigned char **parameter; U length; };

static struct list *real, ours;
static const char *dir;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int inside;

static FILE *at(const char *name, const char *suffix, const char *mode) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    return fopen(path, mode);
}

static int there(const char *name) {
    FILE *f = at(name, "", "r");
    if (f) fclose(f);
    return f != NULL;
}

/* What to do with this call, taken off the file. */
static int fault(const char *name, U *rv, int *when) {
    int times = 0, ms = 0;
    pthread_mutex_lock(&lock);
    FILE *f = at(name, ".count", "a");
    if (f) { fputc('.', f); fclose(f); }
    f = at(name, "", "r");
    int n = f ? fscanf(f, "%lx %d %d %d", rv, &times, &ms, when) : 0;
    if (f) fclose(f);
    if (n == 4 && times > 0 && (f = at(name, "", "w"))) {
        fprintf(f, "%lx %d %d %d", *rv, times - 1, ms, *when);
        fclose(f);
    }
    pthread_mutex_unlock(&lock);
    if (n != 4 || times == 0) return 0;
    for (int slept = 0; slept < ms && there(name); slept += 5) usleep(5000);
    return *rv != 0;
}

#define HOOK(name, index, params, args)                                  \
    static U my_##name params {                                          \
        U rv = 0; int when = 0;                                          \
        atomic_fetch_add(&inside, 1);                                    \
        int fails = fault("C_" #name, &rv, &when);                       \
        U said = 0;                                                      \
        if (!fails || when) said = real->f[index] args;                  \
        if (fails && (when != 2 || said)) said = rv;                     \
        atomic_fetch_sub(&inside, 1);                                    \
        return said;                                                     \
    }
#define HOOK3(name, index) HOOK(name, index, (U a, U b, U c), (a, b, c))
#define HOOK4(name, index) HOOK(name, index, (U a, U b, U c, U d), (a, b, c, d))
#define HOOK5(name, index) HOOK(name, index, (U a, U b, U c, U d, U e), (a, b, c, d, e))

HOOK5(OpenSession, 12)
HOOK4(Login, 18)
HOOK3(FindObjectsInit, 26)
HOOK5(Encrypt, 30)
HOOK3(DecryptInit, 33)
HOOK5(Decrypt, 34)
HOOK5(Sign, 43)
HOOK5(GenerateKey, 58)
HOOK3(GenerateRandom, 64)

static U my_EncryptInit(U session, struct mechanism *mechanism, U key) {
    static atomic_int drawn;
    if (there("own-iv")) memset(*mechanism->parameter, 0xa0 + atomic_fetch_add(&drawn, 1), 12);
    return real->f[29](session, mechanism, key);
}

static U my_Finalize(void *reserved) {
    U rv = 0; int when = 0;
    fault("C_Finalize", &rv, &when);
    if (atomic_load(&inside)) { FILE *f = at("overlap", "", "w"); if (f) fclose(f); }
    return real->f[1](reserved);
}

U C_GetFunctionList(struct list **list) {
    dir = getenv("VITRINE_FAULTS");
    void *module = dlopen(getenv("VITRINE_FAULTS_MODULE"), RTLD_NOW);
    F get = module ? (F)dlsym(module, "C_GetFunctionList") : NULL;
    if (!dir || !get || get(&real)) return 5;
    ours = *real;
    ours.f[1] = my_Finalize;
    ours.f[12] = my_OpenSession;
    ours.f[18] = my_Login;
    ours.f[26] = my_FindObjectsInit;
    ours.f[29] = my_EncryptInit;
    ours.f[30] = my_Encrypt;
    ours.f[33] = my_DecryptInit;
    ours.f[34] = my_Decrypt;
    ours.f[43] = my_Sign;
    ours.f[58] = my_GenerateKey;
    ours.f[64] = my_GenerateRandom;
    *list = &ours;
    return 0;
}
