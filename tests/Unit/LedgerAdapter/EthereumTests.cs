using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nethereum.Contracts;
using Nethereum.Model;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public class EthereumTests
{
    private const long ChainId = 1337;

    // The well-known account 0 of the mnemonic "test test ... junk".
    private static readonly EthereumAccount Known = new(Bytes("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
    private static readonly ContractSet Contracts = new(Known.Address);
    private static readonly ConsentIntents Intents = new(ChainId, Contracts.Addresses[ContractSet.Consents]);

    // Made by the code that was here before Nethereum.
    private static readonly JsonElement Vector = Vectors.Read("ethereum.json");

    [Fact]
    public void The_address_of_a_key_is_Ethereums() => Assert.Equal("f39fd6e51aad88f6f4ce6ab8827279cfffb92266", Hex(Known.Address));

    [Fact]
    public void The_first_contract_of_an_account_is_where_Ethereum_puts_it() =>
        Assert.Equal("5fbdb2315678afecb367f032d93f642f64180aa3", Hex(EthereumAccount.ContractAddress(Known.Address, 0)));

    [Theory]
    [InlineData(ContractSet.Actors)]
    [InlineData(ContractSet.Consents)]
    [InlineData(ContractSet.Anchors)]
    public void The_contracts_stay_where_they_were(string name) =>
        Assert.Equal(Vector.GetProperty(name).GetString(), Hex(Contracts.Addresses[name]));

    // RFC 6979 with secp256k1 and SHA-256, the vector of the Bitcoin libraries: key 1, "Satoshi Nakamoto".
    [Fact]
    public void A_signature_is_deterministic_and_low()
    {
        var key = new byte[32];
        key[31] = 1;
        var digest = SHA256.HashData(Encoding.ASCII.GetBytes("Satoshi Nakamoto"));
        foreach (var signature in new[] { BouncyCastleSecp256k1.Sign(digest, key), new EthereumAccount(key).Sign(digest) })
        {
            Assert.Equal("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8", Hex(signature.R));
            Assert.Equal("2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5", Hex(signature.S));
        }
    }

    [Fact]
    public void The_native_library_agrees_with_BouncyCastle()
    {
        for (var i = 0; i < 50; i++)
        {
            var (key, digest) = (RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(32));
            var account = new EthereumAccount(key);
            var (native, managed) = (account.Sign(digest), BouncyCastleSecp256k1.Sign(digest, key));
            Assert.Equal(native.ToBytes(), managed.ToBytes());
            Assert.Equal(account.Address, Keccak256.Hash([BouncyCastleSecp256k1.PublicKey(key)])[12..]);
            Assert.Equal(BouncyCastleSecp256k1.PublicKey(key), BouncyCastleSecp256k1.Recover(digest, native));
            Assert.Equal(account.Address, EthereumAccount.Recover(digest, managed));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    public void What_is_no_signature_is_nobodys(byte fill) =>
        Assert.Null(EthereumAccount.Recover(new byte[32], new RecoverableSignature(Filled(fill), Filled(fill), 0)));

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    public void What_is_no_key_is_no_account(byte fill) => Assert.Throws<ArgumentException>(() =>
        new EthereumAccount([.. Enumerable.Repeat(fill, 32)]));

    [Fact]
    public void Calls_are_byte_for_byte_what_they_were()
    {
        var (grant, revoke) = (GrantIntent(), RevokeIntent());
        var signature = Known.Sign(Intents.Digest(grant)).ToBytes();
        var handOver = new HandOverIntent(Filled(1), "0x" + Hex(Known.Address), 9, 1900000000);
        Dictionary<string, byte[]> calls = new()
        {
            ["grantBySig"] = ChainCommands.Grant("p", grant, signature).Data,
            ["revokeBySig"] = ChainCommands.Revoke(revoke, signature).Data,
            ["handOver"] = ChainCommands.HandOver("p", handOver, signature, signature).Data,
            ["registerPatient"] = ChainCommands.RegisterPatient("p", Filled(3), Known.Address, "Organization/h", Filled(4)).Data,
            ["registerHospital"] = ChainCommands.RegisterHospital("r", Filled(5), Filled(6), Filled(7), "https://example/fhir").Data,
            ["registerInsurer"] = ChainCommands.RegisterInsurer("r", Filled(5), Filled(6)).Data,
            ["registerPractitioner"] = ChainCommands.RegisterPractitioner("r", Filled(5), Filled(6), "h", Filled(7)).Data,
            ["setStatus"] = ChainCommands.SetStatus("r", Filled(5), isActive: false).Data,
            ["bindClient"] = ChainCommands.BindClient("r", Filled(5), Hex(Filled(6))).Data,
            ["anchor"] = ChainCommands.Anchor("c", Filled(5), 3, Filled(6), 1000, [1, 2, 3]).Data,
            ["verify"] = new VerifyFunction(Filled(5), 3, Filled(6), 2, [Filled(7), Filled(8)]).GetCallData(),
        };
        foreach (var (name, data) in calls) Assert.Equal($"{name} {Vector.GetProperty(name).GetString()}", $"{name} {Hex(data)}");
        Assert.EndsWith(
            Vector.GetProperty("deployConsentsArgs").GetString()!, Hex(Contracts.Deployments()[1].Data), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, 0, ContractSet.Anchors, "010203")]
    [InlineData(127, 1000000000, 3000000000, null, null)]
    [InlineData(128, 1, 2, ContractSet.Self, "")]
    public void Transactions_are_byte_for_byte_what_they_were(long nonce, long tip, long maxFee, string? to, string? data)
    {
        var (raw, hash) = Known.SignTransaction(
            ChainId, nonce, tip, maxFee, 600000, to is null ? null : Contracts.AddressOf(to), data is null ? new byte[300] : Bytes(data));
        Assert.Equal(Vector.GetProperty($"tx{nonce}").GetString(), Hex(raw));
        Assert.Equal(Vector.GetProperty($"hash{nonce}").GetString(), hash);
    }

    [Fact]
    public void A_signature_with_leading_zeros_is_encoded_as_the_number_that_it_is()
    {
        // One in 128 has one in r or s: a chain refuses a number with leading zeros.
        for (var nonce = 0; nonce < 1000; nonce++)
        {
            var (raw, hash) = Known.SignTransaction(ChainId, nonce, 0, 0, 21000, Known.Address, []);
            var read = (Transaction1559)TransactionFactory.CreateTransaction(raw);
            Assert.True(read.Signature.R[0] != 0 && read.Signature.S[0] != 0, $"nonce {nonce}");
            Assert.Equal(Hex(Keccak256.Hash([raw])), hash);
        }
    }

    [Fact]
    public void Intents_have_the_digests_that_they_had()
    {
        Assert.Equal(Vector.GetProperty("domain").GetString(), Hex(Intents.DomainSeparator));
        Assert.Equal(Vector.GetProperty("grantDigest").GetString(), Hex(Intents.Digest(GrantIntent())));
        Assert.Equal(Vector.GetProperty("revokeDigest").GetString(), Hex(Intents.Digest(RevokeIntent())));
        Assert.Equal(Vector.GetProperty("sig").GetString(), Hex(Known.Sign(Intents.Digest(GrantIntent())).ToBytes()));
        var handOver = new HandOverIntent(Filled(1), "0x" + Hex(Known.Address), 9, 1900000000);
        byte[] Word(long number) => [.. new byte[24], .. BitConverter.GetBytes(number).Reverse()];
        var structHash = Keccak256.Hash([
            Keccak256.Hash("HandOver(bytes32 patient,address newController,uint256 nonce,uint256 deadline)"),
            Filled(1), [.. new byte[12], .. Known.Address], Word(9), Word(1900000000)]);
        Assert.Equal(Keccak256.Hash([0x19, 0x01], Intents.DomainSeparator, structHash), Intents.Digest(handOver));
    }

    [Fact]
    public void Typed_data_has_its_numbers_as_text_since_JavaScript_holds_53_bits()
    {
        void Same(string name, string typedData) =>
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Vector.GetProperty(name).GetRawText()), JsonNode.Parse(typedData)));
        Same("grantTypedData", Intents.TypedData(GrantIntent()));
        Same("revokeTypedData", Intents.TypedData(RevokeIntent()));
    }

    [Theory]
    [InlineData("nonce too low", RpcErrorKind.NonceTooLow)]
    [InlineData("...nonce 0, but account has nonce 1 (tx nonce too low)", RpcErrorKind.NonceTooLow)]
    [InlineData("transaction already imported", RpcErrorKind.AlreadyKnown)]
    [InlineData("already in the TxPool", RpcErrorKind.AlreadyKnown)]
    [InlineData("replacement transaction underpriced", RpcErrorKind.Underpriced)]
    [InlineData("does not have enough balance", RpcErrorKind.InsufficientFunds)]
    [InlineData("something else", RpcErrorKind.Other)]
    public void A_refusal_is_told_by_its_text_since_codes_differ_between_nodes(string text, RpcErrorKind kind) =>
        Assert.Equal(kind, new RpcException("m", -32000, text).Kind);

    [Fact]
    public void A_contracts_error_is_told_by_its_selector_and_whether_it_means_that_the_wish_is_fulfilled()
    {
        Revert Read(string signature, string text = "execution reverted") =>
            ContractErrors.Read(new RpcException("eth_call", 3, text, "0x" + Hex(Keccak256.Hash(signature)[..4]) + Hex(Filled(1))));
        Assert.Equal(new Revert("GrantExists", true), Read("GrantExists(bytes32)"));
        Assert.Equal(new Revert("NonceUsed", true), Read("NonceUsed(uint256)"));
        Assert.Equal(new Revert("CustodianNotActive", false), Read("CustodianNotActive(bytes32)"));
        Assert.Equal(new Revert("SequenceGap", false), Read("SequenceGap(bytes32,uint64,uint64)"));
        Assert.Equal(new Revert("execution reverted", false), Read("Unknown()"));
    }

    [Fact]
    public void A_selector_is_the_hash_of_its_signature() =>
        Assert.Equal(
            Hex(Keccak256.Hash("bindClient(bytes32,bytes32)"))[..8],
            Hex(ChainCommands.BindClient("r", Filled(5), Hex(Filled(6))).Data)[..8]);

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

    private static GrantIntent GrantIntent() => new(Filled(1), Filled(2), 1700000000, 2000000000, (BigInteger.One << 256) - 1, 1900000000);

    private static RevokeIntent RevokeIntent() => new(Filled(1), Filled(2), 7, 1900000000);

    private static byte[] Filled(byte value) => [.. Enumerable.Repeat(value, 32)];

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
