// The one place where the bodies of Boost.Asio and Boost.Beast are compiled (…_SEPARATE_COMPILATION is set where they
// are used).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
