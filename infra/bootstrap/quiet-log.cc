// libtensorflow_framework logs notices from its static constructors, where no setting reaches them, and later at the
// level of a logger whose level nobody sets. Loaded before TensorFlow's addon, this one loads that library with
// stderr shut for the moment, then sets the level that TF_CPP_MIN_LOG_LEVEL asks for. At level 0 it does nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/base/log_severity.h"
#include "absl/base/options.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

static void* LoadSilently(const char* library) {
  const int stderr_copy = dup(STDERR_FILENO);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (stderr_copy >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (stderr_copy >= 0) dup2(stderr_copy, STDERR_FILENO);
  if (stderr_copy >= 0) close(stderr_copy);
  if (nowhere >= 0) close(nowhere);
  return handle;
}

NAPI_MODULE_INIT() {
  const char* text = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  const int level = text ? std::atoi(text) : 0;
  if (level <= 0) return exports;
  // When this fails, loading the addon fails too, and tells why.
  void* handle = LoadSilently("libtensorflow_framework.so.2");
  if (!handle) return exports;
  // absl::SetMinLogLevel; absl's namespace carries the date of its release.
  const std::string space = TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string symbol =
      "_ZN4absl" + std::to_string(space.size()) + space + "14SetMinLogLevelENS0_18LogSeverityAtLeastE";
  using Setter = void (*)(absl::LogSeverityAtLeast);
  if (auto set_level = reinterpret_cast<Setter>(dlsym(handle, symbol.c_str())))
    set_level(static_cast<absl::LogSeverityAtLeast>(level));
  return exports;
}
