using System.Security.Cryptography;
using System.Text;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public class EthereumTests
{
    // The well-known account 0 of the mnemonic "test test ... junk".
    private static readonly EthereumAccount Known = new(Hex.Bytes("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));

    [Fact]
    public void The_address_of_a_key_is_Ethereums() => Assert.Equal("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", Hex.Data(Known.Address));

    [Fact]
    public void The_first_contract_of_an_account_is_where_Ethereum_puts_it() =>
        Assert.Equal("0x5fbdb2315678afecb367f032d93f642f64180aa3", Hex.Data(EthereumAccount.ContractAddress(Known.Address, 0)));

    // RFC 6979 with secp256k1 and SHA-256, the vector of the Bitcoin libraries: key 1, "Satoshi Nakamoto".
    [Fact]
    public void A_signature_is_deterministic_and_low()
    {
        var key = new byte[32];
        key[31] = 1;
        var digest = SHA256.HashData(Encoding.ASCII.GetBytes("Satoshi Nakamoto"));
        foreach (var signature in new[] { ManagedSecp256k1.Sign(digest, key), Secp256k1.Sign(digest, key) })
        {
            Assert.Equal("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8", Convert.ToHexStringLower(signature.R));
            Assert.Equal("2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5", Convert.ToHexStringLower(signature.S));
        }
    }

    [Fact]
    public void The_native_library_is_here_and_agrees_with_BouncyCastle()
    {
        // 'make test' installs libsecp256k1: without it this would test one implementation against itself.
        Assert.True(NativeSecp256k1.IsAvailable, "libsecp256k1 is not installed: run scripts/test-prerequisites.sh");
        for (var i = 0; i < 50; i++)
        {
            var (key, digest) = (RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(32));
            var (native, managed) = (NativeSecp256k1.Sign(digest, key), ManagedSecp256k1.Sign(digest, key));
            Assert.Equal(native.ToBytes(), managed.ToBytes());
            Assert.Equal(NativeSecp256k1.PublicKey(key), ManagedSecp256k1.PublicKey(key));
            Assert.Equal(NativeSecp256k1.PublicKey(key), ManagedSecp256k1.Recover(digest, native));
            Assert.Equal(NativeSecp256k1.PublicKey(key), NativeSecp256k1.Recover(digest, managed));
        }
    }

    [Theory]
    [InlineData("nonce too low", RpcErrorKind.NonceTooLow)]
    [InlineData("...nonce 0, but account has nonce 1 (tx nonce too low)", RpcErrorKind.NonceTooLow)]
    [InlineData("transaction already imported", RpcErrorKind.AlreadyKnown)]
    [InlineData("already in the TxPool", RpcErrorKind.AlreadyKnown)]
    [InlineData("replacement transaction underpriced", RpcErrorKind.Underpriced)]
    [InlineData("does not have enough balance", RpcErrorKind.InsufficientFunds)]
    [InlineData("something else", RpcErrorKind.Other)]
    public void A_refusal_is_told_by_its_text_since_codes_differ_between_nodes(string text, RpcErrorKind kind) => Assert.Equal(kind, new RpcException("m", -32000, text).Kind);

    [Fact]
    public void Dynamic_arguments_stand_behind_the_static_ones()
    {
        // The example of the Solidity ABI specification in our types: f(bytes, uint64, string).
        var data = Abi.Encode(new Dynamic(Encoding.ASCII.GetBytes("dave")), 1UL, "abc");
        Assert.Equal(
            "0000000000000000000000000000000000000000000000000000000000000060" + "0000000000000000000000000000000000000000000000000000000000000001" +
            "00000000000000000000000000000000000000000000000000000000000000a0" + "0000000000000000000000000000000000000000000000000000000000000004" +
            "6461766500000000000000000000000000000000000000000000000000000000" + "0000000000000000000000000000000000000000000000000000000000000003" +
            "6162630000000000000000000000000000000000000000000000000000000000",
            Convert.ToHexStringLower(data));
    }

    [Fact]
    public void A_selector_is_the_hash_of_its_signature() => Assert.Equal("a9059cbb", Convert.ToHexStringLower(Abi.Call("transfer(address,uint256)", new byte[20], System.Numerics.BigInteger.One)[..4]));

    [Fact]
    public void Terms_have_one_encoding_whatever_the_order_of_their_lists()
    {
        Provision Of(params string[] actors) => new(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, actors, [], [], [], []);
        var salt = new byte[32];
        var a = new ConsentTerms("p", true, Of("Organization/a", "Organization/b"), []);
        Assert.Equal(a.Commit(salt), (a with { Root = Of("Organization/b", "Organization/a") }).Commit(salt));
        Assert.NotEqual(a.Commit(salt), (a with { Permits = false }).Commit(salt));
        Assert.NotEqual(a.Commit(salt), a.Commit([.. Enumerable.Repeat((byte)1, 32)]));
    }
}
