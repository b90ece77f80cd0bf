// The one place where the bodies of Boost.Asio are compiled (BOOST_ASIO_SEPARATE_COMPILATION is set everywhere).
#include <boost/asio/impl/src.hpp>
